import { commandLinePage } from "./command-line.ts";
import { errorsPage } from "./errors.ts";
import { instructionsPage } from "./instructions.ts";
import type { Page } from "./page.ts";

/** Every generated page. To add one, write its module beside this one and list it here. */
export const PAGES: readonly Page[] = [commandLinePage, errorsPage, instructionsPage];
