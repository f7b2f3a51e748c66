// What goes to the page that may ask an authenticator, and what comes back: docs/passkey.md.

/** lines are what is pasted into the console there; they sign this one request and print the answer. */
export const lines = (request: object): string => `const request = ${JSON.stringify(JSON.stringify(request))};
const options = JSON.parse(request, (key, value) => value ?? undefined);
const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
const {id, rawId, type, response: r} = (await navigator.credentials.get({publicKey})).toJSON();
const response = {clientDataJSON: r.clientDataJSON, authenticatorData: r.authenticatorData, signature: r.signature};
if (r.userHandle) response.userHandle = r.userHandle;
console.log(JSON.stringify({id, rawId, type, response}));`;

/** read takes what was pasted; the host checks what is in it. */
export function read(pasted: string): object | 'empty' | 'cut' {
  const text = pasted.trim();
  if (text === '') return 'empty';
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : 'cut';
  } catch {
    return 'cut';
  }
}
