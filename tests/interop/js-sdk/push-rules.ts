import assert from 'node:assert/strict'
import {
  ConditionKind,
  EventType,
  NotificationCountType,
  PushRuleActionName,
  PushRuleKind,
  TweakName,
} from 'matrix-js-sdk'
import { type Person, roomOf, type Stage } from './person.ts'

const { Total, Highlight } = NotificationCountType
const OWL = 'owls'
const LOUD = [PushRuleActionName.Notify, { set_tweak: TweakName.Highlight }] as const

/** Rules are made, switched, changed and removed; counts follow them, and other devices hear of them. */
export async function pushRules(stage: Stage): Promise<void> {
  const pia = await stage.enter('pia')
  const paul = await stage.enter('paul')
  const second = await stage.another(paul)
  const quincy = await stage.enter('quincy')
  const roomId = await roomOf(pia, [paul, quincy])
  const { client } = paul
  const room = () => second.room(roomId)
  const counts = () => [
    room().getUnreadNotificationCount(Total),
    room().getUnreadNotificationCount(Highlight),
  ]
  const saidAndCounted = async (text: string, expected: readonly [number, number]) => {
    await second.event(roomId, await pia.say(roomId, text))
    await second.sees(`${expected} after «${text}»`, () => String(counts()) === String(expected))
  }
  const owlRule = () => second.client.pushRules?.global.content?.find((rule) => rule.rule_id === OWL)

  await saidAndCounted('an owl', [1, 0])
  await client.addPushRule('global', PushRuleKind.ContentSpecific, OWL, {
    pattern: 'owl',
    actions: [...LOUD],
  })
  await second.sees('the new rule', () => owlRule()?.pattern === 'owl')
  await saidAndCounted('another owl', [2, 1])
  await saidAndCounted('a bowl', [3, 1])
  await client.setPushRuleEnabled('global', PushRuleKind.ContentSpecific, OWL, false)
  await second.sees('the rule switched off', () => owlRule()?.enabled === false)
  await saidAndCounted('an owl unheard', [4, 1])
  await client.setPushRuleEnabled('global', PushRuleKind.ContentSpecific, OWL, true)
  await client.setPushRuleActions('global', PushRuleKind.ContentSpecific, OWL, [])
  await second.sees('the rule without actions', () => owlRule()?.actions.length === 0)
  await saidAndCounted('an owl that is silent', [4, 1])
  await client.deletePushRule('global', PushRuleKind.ContentSpecific, OWL)
  await second.sees('no rule', () => owlRule() === undefined)

  await client.addPushRule('global', PushRuleKind.RoomSpecific, roomId, { actions: [] })
  await second.sees('the room silenced', () => second.client.getRoomPushRule('global', roomId) !== undefined)
  await saidAndCounted('nobody hears', [4, 1])
  const mention = { msgtype: 'm.text', body: 'you', 'm.mentions': { user_ids: [paul.userId] } }
  await pia.client.sendEvent(roomId, EventType.RoomMessage, mention as never)
  await second.sees('a mention', () => String(counts()) === '5,2')
  await client.addPushRule('global', PushRuleKind.Override, 'mute', {
    conditions: [{ kind: ConditionKind.EventMatch, key: 'room_id', pattern: roomId }],
    actions: [],
  })
  await second.sees('the room muted', () => hasOverride(second, 'mute'))
  const muted = await pia.client.sendEvent(roomId, EventType.RoomMessage, mention as never)
  const event = await second.event(roomId, muted.event_id)
  assert.deepEqual(counts(), [5, 2])
  await client.sendReadReceipt(await paul.event(roomId, event.getId() ?? ''))
  await second.sees('nothing unread', () => String(counts()) === '0,0')
}

const hasOverride = (person: Person, id: string): boolean =>
  person.client.pushRules?.global.override?.some((rule) => rule.rule_id === id) ?? false
