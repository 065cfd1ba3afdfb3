import type { Node } from './documents.ts'

/** A place where the specification's data contradicts its own text, and how we read it instead. */
export type Defect = {
  file: string
  /** JSON pointer to the value that `mend` changes in place. */
  at: string
  why: string
  mend: (node: Node | undefined) => void
}

const INITIAL_SYNC_TAG = [
  '/paths/~1rooms~1{roomId}~1initialSync/get/responses/200/content/application~1json',
  '/examples/response/value/account_data/0/content/tags/work',
].join('')

const STATE_BY_KEY = [
  '/paths/~1rooms~1{roomId}~1state~1{eventType}~1{stateKey}/get/responses/200/content/application~1json',
  '/schema',
].join('')

/** Every known defect; a test tells when one of them is gone from the data. */
export const DEFECTS: Defect[] = [
  {
    file: 'api/client-server/relations.yaml',
    at: '/components/examples/response/value/chunk/0/content',
    why: 'the example is an m.room.message without msgtype and body, which its schema requires',
    mend: (content) => Object.assign(content as object, { msgtype: 'm.text', body: 'x' }),
  },
  {
    file: 'api/client-server/room_initial_sync.yaml',
    at: INITIAL_SYNC_TAG,
    why: 'the order of a tag is a number, the example has a string',
    mend: (tag) => Object.assign(tag as object, { order: 1 }),
  },
  {
    file: 'api/server-server/examples/invite_or_knock_state.json',
    at: '',
    why: 'stands for stripped state in an m.room.member, whose schema requires sender and state_key',
    mend: (events) => {
      for (const event of events as object[])
        Object.assign(event, { sender: '@alice:example.org', state_key: '' })
    },
  },
  {
    file: 'api/client-server/rooms.yaml',
    at: STATE_BY_KEY,
    why: 'an event with format=event matches both of "one of an object and an event"',
    mend: (schema) => {
      const { oneOf, ...rest } = schema as Record<string, Node>
      if (oneOf === undefined) return
      delete (schema as Record<string, Node>)['oneOf']
      Object.assign(schema as object, { ...rest, anyOf: oneOf })
    },
  },
  {
    file: 'api/client-server/cross_signing.yaml',
    at: '/paths/~1keys~1device_signing~1upload/post/responses',
    why: 'the text asks for user-interactive authentication, whose 401 the data leaves out here',
    mend: (responses) => {
      const schema = { $ref: 'definitions/auth_response.yaml' }
      Object.assign(responses as object, { 401: { content: { 'application/json': { schema } } } })
    },
  },
]
