import { keysTalk } from './nio-crypto/programmes.ts'

keysTalk('sqlite')
