import { oneOf, orNull, section } from '../compound-types.ts'
import { accepted, later, type Option, option, supported } from '../option.ts'
import { bool, int, string } from '../types.ts'

/** Switches for what is in the specification by now: it is simply there. */
const stable = accepted('it is part of the specification and needs no switch')

/** Switches for proposals that are served without being asked for. */
const always = accepted('it is always there')

function off(about: string): Option<boolean> {
  return option(bool, later, false, about)
}

function settled(about: string): Option<boolean> {
  return option(bool, stable, false, about)
}

/** `experimental_features`: proposals (MSC) that Synapse can switch on. */
export const experimental = {
  experimental_features: section(supported, 'Proposals that are not part of the specification yet.', {
    msc1763_enabled: off('MSC1763: message retention in capabilities.'),
    msc1767_enabled: off('MSC1767: extensible events, in a room version of its own.'),
    msc2409_to_device_messages_enabled: off('MSC2409: messages between devices for bridges.'),
    msc2654_enabled: off('MSC2654: unread counts that include messages without notification.'),
    msc2815_enabled: off('MSC2815: moderators may read redacted events.'),
    msc3026_enabled: off('MSC3026: the presence "busy".'),
    msc3202_transaction_extensions: off('MSC3202: device lists and key counts for bridges.'),
    msc3381_polls_enabled: off('MSC3381: polls under their unstable names.'),
    msc3391_enabled: option(bool, always, false, 'MSC3391: deleting account data.'),
    msc3575_enabled: option(bool, always, true, 'MSC3575 and MSC4186: sliding sync.'),
    msc3664_enabled: off('MSC3664: push rules about the event that is replied to.'),
    msc3720_enabled: off('MSC3720: status of accounts.'),
    msc3773_enabled: settled('MSC3773: notification counts by thread.'),
    msc3814_enabled: option(bool, supported, false, 'MSC3814: dehydrated devices.'),
    msc3848_enabled: off('MSC3848: error codes that say why an event is refused.'),
    msc3866: section(later, 'MSC3866: approval of new accounts.', {
      enabled: off('Whether the admin interface knows it.'),
      require_approval_for_new_accounts: option(
        bool,
        { state: 'later', weakens: true },
        false,
        'Whether an administrator must approve each new account.',
      ),
    }),
    msc3874_enabled: off('MSC3874: leaving out events by their kind of relation.'),
    msc3881_enabled: off('MSC3881: switching pushers of other devices.'),
    msc3890_enabled: off('MSC3890: silencing notifications of one device; needs MSC3391.'),
    msc3912_enabled: option(
      bool,
      supported,
      false,
      'MSC3912: redacting an event with all that relate to it.',
    ),
    msc3983_appservice_otk_claims: off('MSC3983: bridges answer for one-time keys.'),
    msc3984_appservice_key_query: off('MSC3984: bridges answer for device keys.'),
    msc4028_push_encrypted_events: off('MSC4028: pushing all encrypted events.'),
    msc4069_profile_inhibit_propagation: option(
      bool,
      supported,
      false,
      'MSC4069: changing a profile without telling all rooms.',
    ),
    msc4075_enabled: off('MSC4075: ringing for calls.'),
    msc4076_enabled: off('MSC4076: clients that count unread encrypted messages themselves.'),
    msc4108_enabled: off('MSC4108: login by QR code; needs a Matrix Authentication Service.'),
    msc4108_delegation_endpoint: option(orNull(string), later, null, 'MSC4108: another server that does it.'),
    msc4133_enabled: settled('MSC4133: further profile fields.'),
    msc4140_max_delayed_events_per_user: option(
      int(0),
      supported,
      100,
      'MSC4140: delayed events one user may hold.',
    ),
    msc4143_enabled: option(bool, always, false, 'MSC4143: group calls and their transports.'),
    msc4155_enabled: option(bool, supported, false, 'MSC4155: users filter their invites.'),
    msc4169_enabled: option(bool, always, false, 'MSC4169: redaction by the ordinary send.'),
    msc4210_enabled: settled('MSC4210: without the old rules about mentions.'),
    msc4222_enabled: settled('MSC4222: `state_after` in sync.'),
    msc4235_enabled: off('MSC4235: `via` in the summary of spaces.'),
    msc4242_enabled: off('MSC4242: state as its own graph, in a room version of its own.'),
    msc4263_limit_key_queries_to_users_who_share_rooms: option(
      bool,
      { state: 'later', weakens: true },
      false,
      'MSC4263: device keys only of users who share a room.',
    ),
    msc4267_enabled: settled('MSC4267: clients are told of `forget_rooms_on_leave`.'),
    msc4277_enabled: off('MSC4277: reports without telling whether the thing exists.'),
    msc4293_enabled: off('MSC4293: a ban redacts what the user sent.'),
    msc4306_enabled: option(bool, supported, false, 'MSC4306: subscriptions of threads.'),
    msc4354_enabled: off('MSC4354: sticky events.'),
    msc4370_enabled: off('MSC4370: a room’s latest events over federation.'),
    msc4388_mode: option(
      oneOf('off', 'open', 'authenticated'),
      later,
      'off',
      'MSC4388: meeting point for login by QR code.',
    ),
    msc4446_enabled: off('MSC4446: moving the fully-read marker backwards.'),
    msc4450_enabled: off('MSC4450: choosing a login provider when confirming a change.'),
    msc4452_enabled: off('MSC4452: previews of links in capabilities.'),
    msc4491_enabled: off('MSC4491: reasons of invites while making a room.'),
    msc4502_enabled: off('MSC4502: asking for chosen members of a room.'),
    msc4512_enabled: off('MSC4512: bridges that serve parts of the interface.'),
  }),
}
