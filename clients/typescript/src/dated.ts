/** `Body`, in which the times of these names may be a `Date`. */
export type Dated<Body, Name extends keyof Body> = Omit<Body, Name> & { [Member in Name]?: Body[Name] | Date };
