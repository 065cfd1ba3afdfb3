import { optionalSection, orNull, section } from '../compound-types.ts'
import { accepted, later, option } from '../option.ts'
import { bool, duration, path, port, positiveDuration, secret, string } from '../types.ts'

const subjects = {
  message_from_person_in_room: option(
    string,
    later,
    '[%(app)s] %(person)s wrote in %(room)s',
    'One message or several of one person in a named room.',
  ),
  message_from_person: option(
    string,
    later,
    '[%(app)s] %(person)s wrote to you',
    'The same in a room without a name.',
  ),
  messages_from_person: option(
    string,
    later,
    '[%(app)s] %(person)s wrote to you',
    'Several messages of one person.',
  ),
  messages_in_room: option(
    string,
    later,
    '[%(app)s] Messages in %(room)s',
    'Several messages in a named room.',
  ),
  messages_in_room_and_others: option(
    string,
    later,
    '[%(app)s] Messages in %(room)s and other rooms',
    'Messages in several rooms, one of them named.',
  ),
  messages_from_person_and_others: option(
    string,
    later,
    '[%(app)s] Messages of %(person)s and others',
    'Messages of several people in several rooms.',
  ),
  invite_from_person_to_room: option(
    string,
    later,
    '[%(app)s] %(person)s invites you to %(room)s',
    'An invite to a named room.',
  ),
  invite_from_person_to_space: option(
    string,
    later,
    '[%(app)s] %(person)s invites you to the space %(space)s',
    'An invite to a named space.',
  ),
  invite_from_person: option(
    string,
    later,
    '[%(app)s] %(person)s invites you',
    'An invite to a room without a name.',
  ),
  password_reset: option(string, later, '[%(server_name)s] New password', 'Reset of a password.'),
  email_validation: option(string, later, '[%(server_name)s] Confirm your address', 'Proof of an address.'),
  email_already_in_use: option(
    string,
    later,
    '[%(server_name)s] Your address has an account already',
    'A registration with an address that has an account.',
  ),
}

/** Outgoing mail. Being given switches mail on. */
export const email = optionalSection(
  later,
  'Outgoing mail: proof of addresses, new passwords, notifications.',
  {
    smtp_host: option(string, later, 'localhost', 'Mail server.'),
    smtp_port: option(orNull(port), later, null, 'Its port.', '465 with `force_tls`, else 25'),
    smtp_user: option(orNull(string), later, null, 'User name there.'),
    smtp_pass: secret(later, 'Password there.', false),
    force_tls: option(bool, later, false, 'Whether the connection is TLS from its first byte.'),
    require_transport_security: option(bool, later, false, 'Whether a server without STARTTLS is refused.'),
    enable_tls: option(bool, later, true, 'Whether TLS is used at all; its certificate must be valid.'),
    tlsname: option(
      orNull(string),
      later,
      null,
      'Name that certificate must carry.',
      'the same as `smtp_host`',
    ),
    notif_from: option(
      orNull(string),
      later,
      null,
      'Sender. `%(app)s` stands for `app_name`. Needed to send mail.',
    ),
    app_name: option(string, later, 'Matrix', 'What `%(app)s` in sender and subjects stands for.'),
    enable_notifs: option(bool, later, false, 'Whether users can get notifications by mail.'),
    notif_for_new_users: option(bool, later, true, 'Whether new users have them on.'),
    notif_delay_before_mail: option(
      duration,
      later,
      '10m',
      'How long a message stays unread before a mail is sent.',
    ),
    client_base_url: option(
      orNull(string),
      later,
      null,
      'Client that links in the mail open.',
      'https://matrix.to',
    ),
    validation_token_lifetime: option(positiveDuration, later, '1h', 'How long a link in a mail works.'),
    invite_client_location: option(
      orNull(string),
      later,
      null,
      'Web client named to who is invited by mail.',
    ),
    template_dir: option(
      orNull(path),
      accepted('use `templates.custom_template_directory`'),
      null,
      'Folder of the mail templates (old place of it).',
    ),
    subjects: section(later, 'Subjects. Each may use `%(app)s` and what its occasion offers.', subjects),
  },
)
