// Neon's TypeScript SDK, unmodified, through the life of one project. In: NEON_API_URL, NEON_API_KEY, the project's name.
// Out: one JSON line with what it saw. The Rust test starts it twice: what it prints decides.
import { createNeonClient } from "@neon/sdk";

const neon = createNeonClient({
  apiKey: process.env.NEON_API_KEY,
  baseUrl: process.env.NEON_API_URL,
  throwOnError: true,
  wait: { pollIntervalMs: 20, timeoutMs: 20_000 },
});
const [step, argument] = process.argv.slice(2);

async function create(name) {
  const { project, connectionString } = await neon.projects.createAndConnect({ name, pooled: false });
  const pooled = await neon.postgres.connectionString({ projectId: project.id, pooled: true });
  const listed = [];
  for await (const item of neon.projects.list({})) listed.push(item.id);
  const read = await neon.projects.get({ projectId: project.id });
  const renamed = await neon.projects.update({ projectId: project.id, name: `${name}-2` });
  return { id: project.id, uri: connectionString, pooled, listed, name: read.name, renamed: renamed.name };
}

async function remove(projectId) {
  const deleted = await neon.projects.delete({ projectId });
  try {
    await neon.projects.get({ projectId });
  } catch (error) {
    return { id: deleted.id, after: error.status, requestId: error.requestId };
  }
  return { id: deleted.id, after: 200 };
}

console.log(JSON.stringify(await (step === "create" ? create(argument) : remove(argument))));
