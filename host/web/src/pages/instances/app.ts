/**
 * app is what a person holds in the other hand while an account is linked, and the page that its passkeys belong to.
 * Only this file names a vendor: docs/decisions/pages.md says why, and a test that no other does.
 */
export const app = { name: 'WhatsApp', site: 'web.whatsapp.com' } as const;
