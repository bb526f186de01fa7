// check.mjs: holds Kubernetes manifests against the API's published schemas.
//
// usage: node check.mjs FILE
//
// The schemas check values and what is required; unknown fields, which they let pass and a cluster
// does not, are found by the TypeScript compiler, to which each manifest is an object literal of its
// kind's type. A manifest with a mistake of each sort must be refused, or the check is worth nothing.
import fs from "node:fs";
import ts from "typescript";
import yaml from "yaml";

async function schemaMistakes(manifest) {
  const kinds = await import(`kubernetes-models/${manifest.apiVersion}`);
  try {
    new kinds[manifest.kind](manifest).validate();
    return [];
  } catch (error) {
    return [error.message];
  }
}

function typeMistakes(manifest) {
  const file = new URL("manifest.mts", import.meta.url).pathname;
  const source =
    `import { I${manifest.kind} } from "kubernetes-models/${manifest.apiVersion}";\n` +
    `export const manifest: I${manifest.kind} = ${JSON.stringify(manifest, null, 1)};\n`;
  fs.writeFileSync(file, source);
  const program = ts.createProgram([file], {
    noEmit: true, strict: true, skipLibCheck: true, types: [],
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext,
  });
  return ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
    .map((found) => ts.flattenDiagnosticMessageText(found.messageText, "\n"));
}

const mistakes = async (manifest) => [
  ...(await schemaMistakes(manifest)), ...typeMistakes(manifest),
];

const text = fs.readFileSync(process.argv[2], "utf8");
const manifests = yaml.parseAllDocuments(text, { strict: true }).map((document) => {
  if (document.errors.length) throw document.errors[0];
  return document.toJS();
});
let failed = manifests.length === 0;
for (const manifest of manifests) {
  const found = await mistakes(manifest);
  console.log(`${manifest.apiVersion} ${manifest.kind}: ${found.length ? found.join("\n") : "ok"}`);
  failed ||= found.length > 0;
  const unknown = { ...manifest, spec: { ...manifest.spec, speck: 1 } };
  const wrong = { ...manifest, metadata: { name: 1 } };
  for (const broken of [unknown, wrong]) {
    if ((await mistakes(broken)).length > 0) continue;
    console.log(`${manifest.kind}: a mistake is not found`);
    failed = true;
  }
}
process.exit(failed ? 1 : 0);
