/** Mutants that no test can tell from the code, each with the reason. */
export const SURVIVORS: readonly { readonly mutant: string; readonly why: string }[] = []
