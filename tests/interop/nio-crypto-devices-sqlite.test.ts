import { devicesTalk } from './nio-crypto/programmes.ts'

devicesTalk('sqlite')
