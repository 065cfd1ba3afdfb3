/** Packed forms of a key's older events and of a run of state changes. docs/decisions/0002-room-state.md */
import { ByteReader, ByteWriter } from './varint.ts'

/** An event that held a key from `pos` on. */
export interface Held {
  readonly pos: number
  readonly event: number
}

/* A live event's row id equals the position at which it took effect, so one bit spares the second number. */
function writeHeld(writer: ByteWriter, held: Held): void {
  if (held.event === held.pos) writer.uint(held.pos * 2)
  else writer.uint(held.pos * 2 + 1).uint(held.event)
}

function readHeld(reader: ByteReader): Held {
  const lead = reader.uint()
  const pos = Math.floor(lead / 2)
  return { pos, event: lead % 2 === 0 ? pos : reader.uint() }
}

/** Adds one entry behind those already packed; oldest come first. */
export function appendOlder(packed: Uint8Array | null, held: Held): Uint8Array {
  const writer = new ByteWriter()
  writeHeld(writer, held)
  const entry = writer.bytes()
  return packed === null ? entry : joined(packed, entry)
}

/** One run of packed entries behind another. */
export function joined(before: Uint8Array, after: Uint8Array): Uint8Array {
  const both = new Uint8Array(before.length + after.length)
  both.set(before)
  both.set(after, before.length)
  return both
}

/** The newest entry at or before `pos`, in all bytes or in those from `start` to before `end`. */
export function olderAt(
  packed: Uint8Array | null,
  pos: number,
  start?: number,
  end?: number,
): Held | undefined {
  if (packed === null) return undefined
  const reader = new ByteReader(packed, start, end)
  let found: Held | undefined
  while (!reader.done) {
    const held = readHeld(reader)
    if (held.pos > pos) break
    found = held
  }
  return found
}

/** All entries, oldest first. Throws a RangeError when the bytes end inside an entry. */
export function unpackHeld(packed: Uint8Array): Held[] {
  const reader = new ByteReader(packed)
  const entries: Held[] = []
  while (!reader.done) entries.push(readHeld(reader))
  return entries
}

/** One change of a room's state; `event` and `prev` are row ids, 0 for absent. */
export interface Delta {
  readonly pos: number
  readonly key: number
  readonly event: number
  readonly prev: number
}

/** Packs changes in the order of their positions, to stand behind others that end at position `last`. */
export function packDeltas(deltas: readonly Delta[], last = 0): Uint8Array {
  const writer = new ByteWriter()
  for (const delta of deltas) {
    const step = delta.pos - last
    last = delta.pos
    if (delta.event === delta.pos) writer.uint(step * 2)
    else writer.uint(step * 2 + 1).uint(delta.event)
    writer.uint(delta.key).uint(delta.prev)
  }
  return writer.bytes()
}

export function unpackDeltas(packed: Uint8Array): Delta[] {
  const reader = new ByteReader(packed)
  const deltas: Delta[] = []
  let pos = 0
  while (!reader.done) {
    const lead = reader.uint()
    pos += Math.floor(lead / 2)
    const event = lead % 2 === 0 ? pos : reader.uint()
    deltas.push({ pos, key: reader.uint(), event, prev: reader.uint() })
  }
  return deltas
}
