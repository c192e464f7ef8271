/** Lists that are answered in pages. */

/** `nextCursor`: where the next page begins; undefined on the last one. A page before it can be short or empty. */
export interface Page<Row> {
  rows: Row[];
  nextCursor: string | undefined;
}

/** All rows of the page at `cursor` and of those after it. */
export async function* rowsOf<Row>(
  readPage: (cursor: string | undefined) => Promise<Page<Row>>,
  cursor: string | undefined,
): AsyncGenerator<Row, void, undefined> {
  for (;;) {
    const page = await readPage(cursor);
    yield* page.rows;
    if (page.nextCursor === undefined) return;
    cursor = page.nextCursor;
  }
}
