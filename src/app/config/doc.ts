import { ALIASES, type Alias } from './aliases.ts'
import type { Plain } from './node.ts'
import type { Fields, Option, Status } from './option.ts'
import { type GroupName, TABLE, TITLES } from './table.ts'

/** The text of docs/configuration.md. */
export function configurationDoc(): string {
  const groups = Object.entries(TABLE) as [GroupName, Fields][]
  const seen: Seen = new Map()
  return [
    INTRODUCTION,
    countsText(groups.flatMap(([, fields]) => Object.values(fields))),
    '',
    ...groups.flatMap(([name, fields]) => [
      `## ${TITLES[name]}`,
      '',
      ...HEADER,
      ...rowsOf(fields, '', seen),
      '',
    ]),
    ...aliasSection(),
  ].join('\n')
}

const INTRODUCTION = `# Configuration

This file is generated from the table in src/app/config/. To change it, change the table and run
\`UPDATE_DOCS=1 node --test tests/docs/configuration.test.ts\`.

The configuration is Synapse's \`homeserver.yaml\`, with the same keys and the same meaning as in Synapse 1.163. What
this server adds stands under \`myelin:\`.

- **Files.** \`--config-path\` may be given several times and may name folders, whose \`*.yaml\` files are read in
  sorted order. Files merge by top-level key: the later file replaces the whole value. Relative paths start at the
  working directory.
- **Mistakes.** A value of the wrong kind refuses the start and names file, line, key and what was expected. An
  unknown key is a warning with the nearest known name. Options that are set and not supported yet are listed once.
- **Durations** are whole milliseconds, or a number followed by \`s\`, \`m\`, \`h\`, \`d\`, \`w\` or \`y\` (365 days).
- **Sizes** are whole bytes, or a number followed by \`K\`, \`M\`, \`G\` or \`T\` (powers of 1024).
- **Secrets** are never printed. Where "or \`_path\`" stands, \`<key>_path\` may name a file that holds the value.
- **Limits** are maps with \`per_second\` and \`burst_count\`.
- A dot in a key stands for one level of nesting; inside a list it stands for the keys of each entry.
- The column "Here" says what this server does with the option: \`yes\`, \`not yet\`, or \`no effect\` and why.
`

const HEADER = ['| Key | Type | Default | Here | Meaning |', '| --- | --- | --- | --- | --- |']

/** Where a set of nested options was described first, so that it is described once. */
type Seen = Map<Fields, string>

function countsText(rows: readonly Option<unknown>[]): string {
  const count = (state: Status['state']) => rows.filter((row) => row.status.state === state).length
  const [yes, none, later] = [count('supported'), count('accepted'), count('later')]
  return `Of ${rows.length} options at the top level ${yes} are supported, ${none} have no effect here, ${later} are still to come.`
}

function rowsOf(fields: Fields, prefix: string, seen: Seen): string[] {
  return Object.entries(fields).flatMap(([key, row]) => {
    const name = `${prefix}${key}`
    const inner = row.type.fields
    if (inner === undefined || isLimit(inner)) return [rowText(name, row, row.about)]
    const first = seen.get(inner)
    if (first !== undefined) return [rowText(name, row, `${row.about} Keys as in \`${first}\`.`)]
    seen.set(inner, name)
    return [rowText(name, row, row.about), ...rowsOf(inner, `${name}.`, seen)]
  })
}

function isLimit(fields: Fields): boolean {
  return Object.keys(fields).join() === 'per_second,burst_count'
}

function rowText(name: string, row: Option<unknown>, about: string): string {
  const key = `\`${name}\`${row.twin ? ' or `_path`' : ''}`
  const cells = [key, typeText(row), defaultText(row), statusText(row.status), about]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}

function typeText({ type }: Option<unknown>): string {
  return type.fields && isLimit(type.fields) ? 'limit' : type.name
}

function defaultText(row: Option<unknown>): string {
  if (row.shown !== undefined) return row.shown
  if (row.type.fields && isLimit(row.type.fields)) {
    const { per_second, burst_count } = row.type.fields
    return `${per_second?.fallback} per second, ${burst_count?.fallback} at once`
  }
  return row.fallback === undefined ? 'must be given' : plainText(row.fallback)
}

function plainText(value: Plain): string {
  if (value === null) return 'none'
  if (Array.isArray(value) && value.length === 0) return 'empty'
  if (typeof value === 'object' && Object.keys(value).length === 0) return ''
  if (value === '') return 'empty'
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function statusText(status: Status): string {
  if (status.state === 'supported') return 'yes'
  return status.state === 'later' ? 'not yet' : `no effect: ${status.why}`
}

function aliasSection(): string[] {
  return [
    '## Old names',
    '',
    '| Key | What becomes of it |',
    '| --- | --- |',
    ...ALIASES.map((alias) => `| \`${alias.key}\` | ${aliasText(alias)} |`),
    '',
  ]
}

function aliasText(alias: Alias): string {
  if ('to' in alias) return `read as \`${alias.to}\``
  if ('dropped' in alias) return `no effect: ${alias.dropped}`
  return `refuses the start${alias.when ? ` when ${alias.when}` : ''}: ${alias.refused}`
}
