/**
 * Loaded into a server under test with `node --import`: whoever listens on the port of a first start listens on
 * MYELIN_TEST_PORT instead, so that tests need not own port 8008 of the machine.
 */
import { Server } from 'node:net'

const DEFAULT_PORT = 8008
const { listen } = Server.prototype

Server.prototype.listen = function (this: Server, ...args: unknown[]) {
  const [where] = args as [{ port?: number }]
  if (where?.port === DEFAULT_PORT) where.port = Number(process.env['MYELIN_TEST_PORT'])
  return (listen as (...all: unknown[]) => Server).apply(this, args)
} as typeof listen
