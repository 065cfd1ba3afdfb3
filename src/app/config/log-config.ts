import { reasonOf } from '#/base/system-error.ts'
import type { FileReader } from './files.ts'
import type { MapNode, Node } from './node.ts'
import type { LOG_LEVELS } from './options/myelin.ts'
import type { Notice, Place, Problem } from './problems.ts'
import { nodeAt } from './tree-edit.ts'
import { readYaml } from './yaml-node.ts'

export type LogLevel = (typeof LOG_LEVELS)[number]

/** Least severity to log. */
export interface LogLevels {
  readonly level: LogLevel
}

const PYTHON_LEVELS: Readonly<Record<string, LogLevel>> = {
  CRITICAL: 'fatal',
  FATAL: 'fatal',
  ERROR: 'error',
  WARNING: 'warn',
  WARN: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
  NOTSET: 'trace',
}

/** What was found in a logging file. */
export interface LogConfig extends LogLevels {
  readonly problems: readonly Problem[]
  readonly notices: readonly Notice[]
}

const DEFAULT_LEVEL: LogLevel = 'info'

/**
 * Takes the level of the root from a Python logging file. Loggers are parts of another program; handlers, formatters and
 * filters are passed over: this server writes to standard output. A missing file is no problem, as Synapse would make it.
 * @param at where the path of the file is given.
 */
export function readLogConfig(path: string, at: Place, files: FileReader): LogConfig {
  if (!files.exists(path)) {
    const text = `there is no ${path}; logging at level ${DEFAULT_LEVEL}`
    return none([], [{ kind: 'ignored', ...at, text }])
  }
  let text: string
  try {
    text = files.readText(path)
  } catch (error) {
    return none([{ ...at, text: `expected a readable file: ${reasonOf(error)}` }], [])
  }
  const yaml = readYaml(text, path)
  if (yaml.root === undefined) return none(yaml.problems, yaml.notices)
  return levelsOf(yaml.root, at, yaml.notices)
}

function none(problems: readonly Problem[], notices: readonly Notice[]): LogConfig {
  return { level: DEFAULT_LEVEL, problems, notices }
}

function levelsOf(root: MapNode, at: Place, seen: readonly Notice[]): LogConfig {
  const problems: Problem[] = []
  const notices = [...seen]
  const rootLevel = nodeAt(root, 'root.level')
  const level = (rootLevel && levelOf(rootLevel, problems)) ?? DEFAULT_LEVEL
  if (root.entries.has('handlers') || root.entries.has('loggers')) {
    const text =
      'only the level of the root is used of this logging file; its loggers and handlers are not, logs go to standard output'
    notices.push({ kind: 'ignored', ...at, text })
  }
  return { level, problems, notices }
}

function levelOf(node: Node, problems: Problem[]): LogLevel | undefined {
  const level = node.kind === 'scalar' ? PYTHON_LEVELS[String(node.value).toUpperCase()] : undefined
  if (level === undefined) {
    problems.push({ ...node.at, text: `expected one of ${Object.keys(PYTHON_LEVELS).join(', ')}` })
  }
  return level
}
