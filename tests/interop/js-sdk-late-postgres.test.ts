import { lateKeys } from './js-sdk/late-keys.ts'

lateKeys('postgres')
