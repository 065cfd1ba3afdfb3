/** The few differences between the engines' SQL, as tokens in one text. */
export type EngineName = 'sqlite' | 'postgres'

const TOKENS: Record<EngineName, Record<string, string>> = {
  sqlite: {
    int8: 'INTEGER',
    text: 'TEXT',
    bytes: 'BLOB',
    strict: 'STRICT',
    clustered: 'STRICT, WITHOUT ROWID',
    packed: '',
    content_type_of_e: `CASE json_type(e.json, '$.content.type') WHEN 'text' THEN json_extract(e.json, '$.content.type') END`,
    content_name_of_e: `CASE json_type(e.json, '$.content.name') WHEN 'text' THEN json_extract(e.json, '$.content.name') END`,
  },
  postgres: {
    int8: 'BIGINT',
    text: 'TEXT COLLATE "C"',
    bytes: 'BYTEA',
    strict: '',
    clustered: '',
    /* Rows that are updated in place: room on the page lets an update stay there. */
    packed: 'WITH (fillfactor = 80)',
    content_type_of_e: `CASE json_typeof(CAST(e.json AS json) #> '{content,type}') WHEN 'string' THEN CAST(e.json AS json) #>> '{content,type}' END`,
    content_name_of_e: `CASE json_typeof(CAST(e.json AS json) #> '{content,name}') WHEN 'string' THEN CAST(e.json AS json) #>> '{content,name}' END`,
  },
}

/** Replaces `{token}`s of a schema text by the engine's words. Throws on an unknown token. */
export function schemaText(engine: EngineName, text: string): string {
  let out = ''
  let rest = text
  for (;;) {
    const open = rest.indexOf('{')
    if (open < 0) return out + rest
    const close = rest.indexOf('}', open)
    const word = rest.slice(open + 1, close)
    const value = TOKENS[engine][word]
    if (value === undefined) throw new Error(`unknown schema token {${word}}`)
    out += rest.slice(0, open) + value
    rest = rest.slice(close + 1)
  }
}

/** Rewrites `?1` placeholders to PostgreSQL's `$1`, and `hex(x)`. Our texts hold no other question marks. */
export function postgresText(text: string): string {
  return text.replaceAll('?', '$').replace(/\bhex\(([\w.]+)\)/g, `encode($1, 'hex')`)
}
