// npm run build: dist/ as src/ says. With --clean from nothing, which is how a package is published.
import { clean, setUp } from "./setup.mjs";

if (process.argv.includes("--clean")) clean();
await setUp();
