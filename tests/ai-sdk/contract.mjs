// The AI SDK's own client, unmodified, in two versions, against a running app.
//   node contract.mjs <base-url> <cookie> <document-id>
// In: where the app is, a session, a document about a lynx and an invoice. Out: one line for each thing that was shown; exit code 1 and
// the reason at the first that was not.
import * as ai6 from "ai6";
import * as ai7 from "ai7";

import * as chats from "./chats.mjs";
import { page } from "./page.mjs";
import { answer } from "./wire.mjs";

const [base, cookie, documentId] = process.argv.slice(2);
const steps = {
  "every chunk is one of the schema's": (sdk, page, id) => answer(sdk, page, id, chats.TUFTS),
  "submit, regenerate, edit": chats.submitRegenerateEdit,
  "stop, here and there": chats.stopHereAndThere,
  "resume after a reload": chats.resume,
  "errors, and a second page": chats.errors,
};

async function show(name, step) {
  for (const [version, sdk] of Object.entries({ ai6, ai7 })) {
    const id = sdk.generateId();
    try {
      await step(sdk, page(sdk, base, cookie, documentId), id);
    } catch (error) {
      console.error(`${version}: ${name}: conversation ${id}`);
      throw error;
    }
    console.log(`${version}: ${name}`);
  }
}

for (const [name, step] of Object.entries(steps)) await show(name, step);
// It takes all that a person may ask in a minute: so it comes last.
await show("too many questions", chats.tooMany);
