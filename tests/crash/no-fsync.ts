/** Preloaded by the test that must catch it: a store whose commits do not wait for the disk. */
import { DatabaseSync } from 'node:sqlite'

const { exec } = DatabaseSync.prototype
DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
  exec.call(this, sql.replace('synchronous = FULL', 'synchronous = OFF'))
}
