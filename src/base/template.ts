/**
 * Pages that operators write: the part of Jinja that policy documents use. `{{ name }}` puts a value in, escaped for
 * HTML; `{% if name %}`, `{% if not name %}`, `{% else %}`, `{% endif %}` choose; `{# … #}` is left out.
 */

/** True, false or a text that is put in. */
export type TemplateValues = Readonly<Record<string, string | boolean>>

type Part =
  | { readonly text: string }
  | { readonly name: string }
  | { readonly when: string; readonly not: boolean; readonly yes: Part[]; readonly no: Part[] }

export type Template = readonly Part[]

/** How deep conditions may be nested. */
export const TEMPLATE_DEPTH_MAX = 20

/** Escapes a text for HTML, between tags and in quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

interface Open {
  readonly part: Extract<Part, { when: string }>
  /** Where parts go now. */
  into: Part[]
  elseSeen: boolean
}

/** Reads a template. Throws an Error with a sentence for the operator. */
export function parseTemplate(source: string): Template {
  const root: Part[] = []
  const open: Open[] = []
  const into = (): Part[] => open.at(-1)?.into ?? root
  let at = 0
  for (;;) {
    const start = nextTag(source, at)
    if (start > at) into().push({ text: source.slice(at, start) })
    if (start >= source.length) break
    const kind = source[start + 1] as '{' | '%' | '#'
    const end = source.indexOf(kind === '{' ? '}}' : `${kind}}`, start + 2)
    if (end < 0) throw new Error(`a {${kind} of the template is not closed`)
    const inner = source.slice(start + 2, end).trim()
    at = end + 2
    if (kind === '{') into().push({ name: nameIn(inner) })
    if (kind === '%') control(inner, into(), open)
  }
  if (open.length > 0) throw new Error('an {% if %} of the template has no {% endif %}')
  return root
}

function nextTag(source: string, from: number): number {
  for (let at = source.indexOf('{', from); at >= 0; at = source.indexOf('{', at + 1)) {
    if ('{%#'.includes(source[at + 1] ?? ' ')) return at
  }
  return source.length
}

function control(words: string, into: Part[], open: Open[]): void {
  const [word, ...rest] = words.split(/\s+/)
  const last = open.at(-1)
  if (word === 'if') {
    const not = rest[0] === 'not'
    const yes: Part[] = []
    const part = { when: nameIn(rest.slice(not ? 1 : 0).join(' ')), not, yes, no: [] }
    if (open.length >= TEMPLATE_DEPTH_MAX) throw new Error('conditions of the template are nested too deep')
    into.push(part)
    open.push({ part, into: yes, elseSeen: false })
  } else if (word === 'else' && rest.length === 0 && last && !last.elseSeen) {
    last.into = last.part.no
    last.elseSeen = true
  } else if (word === 'endif' && rest.length === 0 && last) open.pop()
  else throw new Error(`the template has {% ${words} %}; only if, else and endif are understood here`)
}

function nameIn(text: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(text)) return text
  throw new Error(`the template has "${text}", where only the name of a value is understood`)
}

/** The page. A value that is not there is empty, and no. */
export function renderTemplate(template: Template, values: TemplateValues): string {
  return template
    .map((part) => {
      if ('text' in part) return part.text
      if ('name' in part) return escapeHtml(String(givenOf(values, part.name)))
      const yes = Boolean(givenOf(values, part.when)) !== part.not
      return renderTemplate(yes ? part.yes : part.no, values)
    })
    .join('')
}

function givenOf(values: TemplateValues, name: string): string | boolean {
  return Object.hasOwn(values, name) ? (values[name] ?? '') : ''
}
