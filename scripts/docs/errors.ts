import { REMEDIES } from "../../src/support/errors.ts";
import { GENERATED, table, type Page } from "./page.ts";

/** docs/errors.md: every code of a VmError, and what to do about it. */
export const errorsPage: Page = {
  path: "docs/errors.md",
  render: () =>
    `${GENERATED}

# Errors

A problem of the host or of what the user asked for is a \`VmError\`: \`code\` is one of the words below and is what programs match on,
\`message\` says what was wrong and where, \`remedy\` is the sentence of this table, \`data\` holds the details as fields. What a guest does wrong is
never an error of Nido's: the guest gets the answer that hardware would give.

${table(
  ["code", "what to do"],
  Object.entries(REMEDIES).map(([code, remedy]) => [`\`${code}\``, remedy]),
)}
`,
};
