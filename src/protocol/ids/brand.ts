declare const brand: unique symbol

/** A checked string: only the parsers and minters of this folder make one. */
export type Id<Shape extends string, Name extends string> = Shape & { readonly [brand]: Name }
