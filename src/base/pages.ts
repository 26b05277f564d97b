/** Lists that servers hand out in pages. */
import { LIST_PAGE_OBJECTS } from "./limits.ts";
import { StoreFailure, type StoreResult } from "./object_store.ts";

/** Which page is asked for: what a list takes beside its other options. */
export interface PageWish {
  readonly limit: number;
  readonly continuation: string | undefined;
}

/**
 * Every page of a list, one after the other; whoever stops early asks for no more.
 *
 * @throws {StoreFailure} A page is refused.
 */
export async function* pagesOf<P extends { readonly continuation?: string | undefined }>(
  read: (wish: PageWish) => Promise<StoreResult<P>>,
): AsyncGenerator<P> {
  let continuation: string | undefined;
  do {
    const page = await read({ limit: LIST_PAGE_OBJECTS, continuation });
    if (!page.ok) throw new StoreFailure(page.error);
    yield page.value;
    continuation = page.value.continuation;
  } while (continuation !== undefined);
}
