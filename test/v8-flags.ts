// Before every test file: see src/host/node/v8.ts.
import { avoidBrokenMoves } from "../src/host/node/v8.ts";

avoidBrokenMoves();
