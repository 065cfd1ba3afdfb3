/** Reading aliases and the list of published rooms. */
import type { AliasRow, PublishedPage, PublishedRow } from '#/ports/store/directory.ts'
import { first, lists, placeholders, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { query } from './query.ts'

const ALIAS =
  'SELECT a.alias, a.room, a.creator, r.room_id FROM room_aliases a JOIN rooms r ON r.nid = a.room'

function aliasFrom(row: Row): AliasRow {
  return {
    alias: row.alias as string,
    room: row.room as number,
    roomId: row.room_id as string,
    creator: row.creator as string,
  }
}

export const aliasByName = query('directory.alias', 'small', function* (alias: string): Sql<
  AliasRow | undefined
> {
  const row = yield* first(`${ALIAS} WHERE a.alias = ?1`, alias)
  return row && aliasFrom(row)
})

export const aliasesByName = query('directory.aliases', 'small', function* (aliases: readonly string[]): Sql<
  AliasRow[]
> {
  const found = new Map<string, AliasRow>()
  for (const list of lists(aliases)) {
    const rows = yield* run(`${ALIAS} WHERE a.alias IN (${placeholders(1, list.length)})`, ...list)
    for (const row of rows) found.set(row.alias as string, aliasFrom(row))
  }
  return [...found.values()]
})

export const aliasesOf = query('directory.aliasesOf', 'large', function* (room: number, limit: number): Sql<
  string[]
> {
  const rows = yield* run(
    'SELECT alias FROM room_aliases WHERE room = ?1 ORDER BY alias LIMIT ?2',
    room,
    limit,
  )
  return rows.map((row) => row.alias as string)
})

export const isPublished = query('directory.isPublished', 'small', function* (room: number): Sql<boolean> {
  return (yield* first('SELECT room FROM published_rooms WHERE room = ?1', room)) !== undefined
})

const SHOWN = 'p.shown = 1 AND p.joined > 0'

export const published = query('directory.published', 'large', function* (page: PublishedPage): Sql<
  PublishedRow[]
> {
  const { from, dir, search, types, limit } = page
  const params: SqlValue[] = [limit]
  const bind = (value: SqlValue): string => `?${params.push(value)}`
  const conditions = [SHOWN]
  if (from) {
    const beyond = dir === 'f' ? '<' : '>'
    conditions.push(`(p.joined, p.room) ${beyond} (${bind(from.joined)}, ${bind(from.room)})`)
  }
  if (search) conditions.push(`p.search LIKE ${bind(`%${escaped(search)}%`)} ESCAPE '~'`)
  if (types) conditions.push(ofTypes(types, bind))
  const order = dir === 'f' ? 'DESC' : 'ASC'
  const rows = yield* run(
    `SELECT p.room, p.joined, r.room_id FROM published_rooms p JOIN rooms r ON r.nid = p.room
     WHERE ${conditions.join(' AND ')} ORDER BY p.joined ${order}, p.room ${order} LIMIT ?1`,
    ...params,
  )
  const found = rows.map((row) => ({
    room: row.room as number,
    joined: row.joined as number,
    roomId: row.room_id as string,
  }))
  return dir === 'f' ? found : found.reverse()
})

function ofTypes(types: readonly (string | null)[], bind: (value: SqlValue) => string): string {
  const named = types.filter((type) => type !== null)
  const any: string[] = []
  if (types.includes(null)) any.push('p.type IS NULL')
  if (named.length > 0) any.push(`p.type IN (${named.map(bind).join(', ')})`)
  return any.length === 0 ? '1 = 0' : `(${any.join(' OR ')})`
}

/** A text whose `%` and `_` mean themselves. */
function escaped(text: string): string {
  return text.replaceAll('~', '~~').replaceAll('%', '~%').replaceAll('_', '~_')
}

export const publishedCount = query('directory.publishedCount', 'large', function* (): Sql<number> {
  const row = yield* first(`SELECT COUNT(*) AS n FROM published_rooms p WHERE ${SHOWN}`)
  return row?.n as number
})
