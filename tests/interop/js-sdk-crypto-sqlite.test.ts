import { secretTalk } from './js-sdk/secret-talk.ts'

secretTalk('sqlite')
