// Every board, by the word that configuration uses.
import type { BoardName } from "../config.ts";
import type { Board, BoardRequest } from "./board.ts";
import { microvm } from "./microvm.ts";
import { pc } from "./pc.ts";

export type { Board, BoardEvents, BoardRequest, ProcessorPins } from "./board.ts";

/** All boards. */
export const BOARDS: Readonly<Record<BoardName, (request: BoardRequest) => Board>> = { microvm, pc };
