import type { FileReader } from './files.ts'
import { nearestName } from './nearest.ts'
import type { MapNode } from './node.ts'
import type { Fields, Reading } from './option.ts'
import type { Notice, Place, Problem } from './problems.ts'
import { TABLE } from './table.ts'

/** Gathers what one load finds. */
export class LoadReport {
  readonly problems: Problem[] = []
  readonly notices: Notice[] = []
  readonly notYet: string[] = []

  problem(at: Place, text: string): void {
    this.problems.push({ ...at, text })
  }

  notice(kind: Notice['kind'], at: Place, text: string): void {
    this.notices.push({ kind, ...at, text })
  }

  add(problems: readonly Problem[], notices: readonly Notice[]): void {
    this.problems.push(...problems)
    this.notices.push(...notices)
  }

  /** The view of this report that readers of values get. */
  reading(files: FileReader): Reading {
    return {
      files,
      problem: (at, text) => this.problem(at, text),
      notice: (kind, at, text) => this.notice(kind, at, text),
      unknown: (at, nearest) => this.notice('unknown', at, unknownText(nearest)),
      notYet: (at, weakens) => {
        this.notYet.push(at.key)
        if (weakens)
          this.notice('unsafe', at, 'not supported yet: the server is more open than this line says')
      },
    }
  }

  /** Reports top-level keys that no option has. */
  unknownKeys(root: MapNode, known: readonly string[]): void {
    for (const [key, node] of root.entries) {
      if (known.includes(key)) continue
      const home = homesOf(key)
      const hint = home.length === 1 ? `unknown; it belongs under \`${home[0]}\`` : undefined
      this.notice('unknown', node.at, hint ?? unknownText(nearestName(key, known)))
    }
  }
}

function unknownText(nearest: string | undefined): string {
  return nearest === undefined ? 'unknown, not read' : `unknown, not read; did you mean \`${nearest}\`?`
}

/** The options that have a nested option of this name. */
function homesOf(key: string): string[] {
  const rows = Object.values(TABLE).flatMap((fields) => Object.entries(fields as Fields))
  return rows
    .filter(([, row]) => row.type.fields !== undefined && key in row.type.fields)
    .map(([name]) => name)
}
