// Checks a dashboard's JSON against Grafana's own types with the TypeScript compiler.
//
// In: the JSON file and a folder for what is written in between. Out: nothing, or the compiler's words and exit code 1. JSON knows no
// enums, so Grafana's are widened to the values that they stand for; what a type does not know is an error.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const schema = join(here, 'node_modules/@grafana/schema/dist/types');
const [file, folder] = process.argv.slice(2);
const dashboard = JSON.parse(readFileSync(file, 'utf8'));
const panels = dashboard.panels.filter((panel) => panel.type !== 'row');

const lines = [
  `import type { Dashboard } from '${schema}/raw/dashboard/x/types.gen';`,
  `import type { FieldConfig as TimeseriesField, Options as TimeseriesOptions } from '${schema}/raw/composable/timeseries/panelcfg/x/types.gen';`,
  `import type { Options as StatOptions } from '${schema}/raw/composable/stat/panelcfg/x/types.gen';`,
  'type Json<T> = unknown extends T ? unknown : T extends string ? `${T}` : T extends number | boolean | null | undefined ? T',
  '  : T extends (infer Item)[] ? Json<Item>[] : { [Key in keyof T]: Json<T[Key]> };',
  `export const whole: Json<Dashboard> = ${JSON.stringify(dashboard)};`,
];
for (const panel of panels) {
  const kind = { timeseries: 'Timeseries', stat: 'Stat' }[panel.type];
  if (!kind) throw new Error(`panel ${panel.id} is of type ${panel.type}: add its options here`);
  lines.push(`// ${panel.title}`, `export const options${panel.id}: Json<${kind}Options> = ${JSON.stringify(panel.options)};`);
  if (panel.type === 'timeseries') {
    const custom = JSON.stringify(panel.fieldConfig.defaults.custom);
    lines.push(`export const custom${panel.id}: Json<TimeseriesField> = ${custom};`);
  }
}
const check = resolve(folder, 'dashboard.check.ts');
writeFileSync(check, lines.join('\n') + '\n');
const paths = { '@grafana/schema': [join(schema, 'index.d.ts')] };
const options = { strict: true, noEmit: true, skipLibCheck: true, module: 'esnext', moduleResolution: 'bundler', types: [], paths };
const project = resolve(folder, 'tsconfig.json');
writeFileSync(project, JSON.stringify({ compilerOptions: options, files: [check] }));
try {
  execFileSync(process.execPath, [join(here, 'node_modules/typescript/bin/tsc'), '-p', project], { encoding: 'utf8' });
} catch (error) {
  console.error(error.stdout);
  process.exit(1);
}
console.log(`${panels.length} panels are of Grafana's types`);
