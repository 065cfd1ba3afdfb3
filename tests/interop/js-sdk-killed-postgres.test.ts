import { killedTalk } from './js-sdk/killed-talk.ts'

killedTalk('postgres')
