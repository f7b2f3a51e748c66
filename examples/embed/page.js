const form = document.querySelector('tapnode-form');
const { operation, host, theme, language } = Object.fromEntries(new URLSearchParams(location.search));
for (const [name, value] of Object.entries({ operation, host, theme, language })) if (value !== undefined) form.setAttribute(name, value);

let saved; // the input of the last submit

form.addEventListener('change', ({ detail }) => {
  document.querySelector('#input').textContent = JSON.stringify(detail.input, null, 2);
  document.querySelector('#ports').replaceChildren(
    ...detail.ports.map((port) => Object.assign(document.createElement('li'), { textContent: `${port.id} ${port.label ?? ''}` })),
  );
  // A change is told again when the host has checked it, which may be after it was saved.
  if (JSON.stringify(detail.input) !== saved) document.querySelector('#said').textContent = detail.valid ? '' : `${detail.findings.length} findings`;
});

form.addEventListener('submit', ({ detail }) => {
  saved = JSON.stringify(detail.input);
  document.querySelector('#said').textContent = `Saved with ${detail.ports.length} exits`;
});
