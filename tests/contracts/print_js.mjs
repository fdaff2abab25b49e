// Prints a JSON list: each script (argument 2 on) as TypeScript prints its syntax tree, without comments and layout.
// Argument 1 is the folder whose node_modules has TypeScript.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [, , folder, ...files] = process.argv;
const ts = createRequire(`${folder}/`)("typescript");
const printer = ts.createPrinter({ removeComments: true });
const printed = files.map((file) =>
  printer.printFile(ts.createSourceFile(file, readFileSync(file, "utf-8"), ts.ScriptTarget.Latest)),
);
process.stdout.write(JSON.stringify(printed));
