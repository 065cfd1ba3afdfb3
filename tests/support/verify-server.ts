/** What `myelin verify` says of a test server's database, a text for each finding. */
import { Connection } from '#/storage/sqlite/connection.ts'
import { verifyStore } from '#/storage/verify/verify-store.ts'
import type { TestServer } from './test-server.ts'

export function verifyFindings(server: TestServer): string[] {
  const connection = new Connection({ path: server.path, readOnly: false })
  const found: string[] = []
  try {
    connection.run(verifyStore('sqlite', (finding) => void found.push(JSON.stringify(finding))))
  } finally {
    connection.close()
  }
  return found
}
