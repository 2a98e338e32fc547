// Before every test file: see src/host/node/v8.ts.
import { prepareV8 } from "../src/host/node/v8.ts";

prepareV8();
