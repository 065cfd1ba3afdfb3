import { backlogTalk } from './nio-crypto/programmes.ts'

backlogTalk('sqlite')
