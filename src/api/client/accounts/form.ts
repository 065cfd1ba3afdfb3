/** What a page's form sends. */

export interface Form {
  get(name: string): string | undefined
}

/** Reads `application/x-www-form-urlencoded`; of a field that is there twice the first counts. */
export function formOf(body: Uint8Array): Form {
  const params = new URLSearchParams(Buffer.from(body).toString('utf8'))
  return { get: (name) => params.get(name) ?? undefined }
}
