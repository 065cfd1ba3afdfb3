import { isNull, type MapNode, type Node, nodeOf, type Plain } from './node.ts'
import type { Notice, Place, Problem } from './problems.ts'
import { nodeAt, withNode, withoutNode } from './tree-edit.ts'

/** What becomes of an old name. `key` and `to` are paths. */
export type Alias =
  /** The value belongs elsewhere; what stands there already wins. */
  | { readonly key: string; readonly to: string; readonly turn?: (node: Node) => Node | undefined }
  /** The option does nothing here. */
  | { readonly key: string; readonly dropped: string }
  /** Synapse refuses it, or its meaning cannot be kept. `when` limits that to some values. */
  | { readonly key: string; readonly refused: string; readonly when?: 'true' }

const PYTHON = 'Python modules cannot be loaded'
const LISTENERS = 'expected `listeners` in its place'
const ONE_PROCESS = 'workers are reached through `instance_map`'

/** Names that Synapse 1.163 still reads, or refuses, besides the ones in the table. */
export const ALIASES: readonly Alias[] = [
  { key: 'use_presence', to: 'presence.enabled' },
  { key: 'disable_registration', to: 'enable_registration', turn: negated },
  { key: 'allow_underscore_prefixed_localpart', to: 'allow_underscore_prefixed_registration' },
  { key: 'rc_messages_per_second', to: 'rc_message.per_second' },
  { key: 'rc_message_burst_count', to: 'rc_message.burst_count' },
  { key: 'federation_rc_window_size', to: 'rc_federation.window_size' },
  { key: 'federation_rc_sleep_limit', to: 'rc_federation.sleep_limit' },
  { key: 'federation_rc_sleep_delay', to: 'rc_federation.sleep_delay' },
  { key: 'federation_rc_reject_limit', to: 'rc_federation.reject_limit' },
  { key: 'federation_rc_concurrent', to: 'rc_federation.concurrent' },
  { key: 'email.riot_base_url', to: 'email.client_base_url' },
  { key: 'database_path', to: 'database', turn: (node) => wrapped(node, (v) => ({ args: { database: v } })) },
  {
    key: 'room_invite_state_types',
    to: 'room_prejoin_state',
    turn: (node) => nested(node, { disable_default_event_types: true }, 'additional_event_types'),
  },
  {
    key: 'backup_media_store_path',
    to: 'media_storage_providers',
    turn: (node) => wrapped(node, (directory) => [{ ...BACKUP, config: { directory } }]),
  },
  { key: 'synchronous_backup_media_store', dropped: 'write the store under `media_storage_providers`' },
  {
    key: 'restrict_public_rooms_to_local_users',
    dropped: 'the room directory is closed to others by default',
  },
  { key: 'spam_checker', dropped: PYTHON },
  { key: 'third_party_event_rules', dropped: PYTHON },
  { key: 'password_providers', dropped: PYTHON },
  { key: 'ldap_config', dropped: PYTHON },
  { key: 'worker_replication_host', dropped: ONE_PROCESS },
  { key: 'worker_replication_port', dropped: ONE_PROCESS },
  { key: 'worker_replication_http_port', dropped: ONE_PROCESS },
  { key: 'worker_replication_http_tls', dropped: ONE_PROCESS },
  { key: 'worker_main_http_uri', dropped: ONE_PROCESS },
  { key: 'replication_torture_level', dropped: 'it is a test aid of Synapse' },
  { key: 'no_redirect_stdio', dropped: 'standard output and error are never redirected' },
  { key: 'use_insecure_ssl_client_just_for_testing_do_not_use', dropped: 'it is a test aid of Synapse' },
  { key: 'perspectives', refused: 'expected `trusted_key_servers` in its place' },
  { key: 'log_file', refused: 'expected `log_config` in its place' },
  { key: 'bind_port', refused: LISTENERS },
  { key: 'bind_host', refused: LISTENERS },
  { key: 'unsecure_port', refused: LISTENERS },
  { key: 'metrics_port', refused: 'expected a listener of type `metrics` under `listeners` in its place' },
  { key: 'metrics_bind_host', refused: LISTENERS },
  { key: 'no_tls', refused: 'expected listeners without `tls` in its place', when: 'true' },
  {
    key: 'account_threepid_delegates.email',
    refused: 'expected `email` in its place: we prove addresses ourselves',
  },
  { key: 'trust_identity_server_for_password_resets', refused: 'no longer possible', when: 'true' },
  { key: 'invite_3pid_guest', refused: 'no longer possible', when: 'true' },
  { key: 'experimental_features.msc3861', refused: 'expected `matrix_authentication_service` in its place' },
]

const BACKUP = { module: 'file_system', store_local: true, store_remote: true, store_synchronous: false }

/** Puts old names in their new places. */
export function applyAliases(root: MapNode): { root: MapNode; problems: Problem[]; notices: Notice[] } {
  const problems: Problem[] = []
  const notices: Notice[] = []
  let tree = root
  for (const alias of ALIASES) {
    const node = nodeAt(tree, alias.key)
    if (node === undefined) continue
    tree = withoutNode(tree, alias.key.split('.'))
    if (isNull(node)) continue
    if ('refused' in alias) {
      const applies = alias.when === undefined || (node.kind === 'scalar' && node.value === true)
      if (applies && !isEmptyMap(node))
        problems.push({ ...node.at, text: `no longer read; ${alias.refused}` })
    } else if ('dropped' in alias) {
      notices.push(notice('no-effect', node.at, `has no effect: ${alias.dropped}`))
    } else {
      tree = moved(tree, alias, node, notices)
    }
  }
  return { root: tree, problems, notices }
}

function moved(tree: MapNode, alias: Extract<Alias, { to: string }>, node: Node, notices: Notice[]): MapNode {
  if (nodeAt(tree, alias.to) !== undefined) {
    notices.push(notice('deprecated', node.at, `old name of ${alias.to}, which is given too; passed over`))
    return tree
  }
  notices.push(notice('deprecated', node.at, `old name; write ${alias.to}`))
  const value = alias.turn ? alias.turn(node) : node
  return value === undefined ? tree : withNode(tree, alias.to.split('.'), value)
}

function notice(kind: Notice['kind'], at: Place, text: string): Notice {
  return { kind, ...at, text }
}

function isEmptyMap(node: Node): boolean {
  return node.kind === 'map' && node.entries.size === 0
}

function negated(node: Node): Node {
  if (node.kind !== 'scalar') return node
  const isTrue = node.value === true || /^(y|yes|t|true|on|1)$/i.test(node.source)
  return { ...node, value: !isTrue, source: String(!isTrue) }
}

function wrapped(node: Node, wrap: (value: Plain) => Plain): Node {
  return node.kind === 'scalar' ? nodeOf(wrap(node.value), node.at) : node
}

function nested(node: Node, beside: { readonly [key: string]: Plain }, key: string): Node {
  const map = nodeOf(beside, node.at) as MapNode
  return { ...map, entries: new Map([...map.entries, [key, node]]) }
}
