const form = document.querySelector('tapnode-form');
const { operation, host, theme, language } = Object.fromEntries(new URLSearchParams(location.search));
for (const [name, value] of Object.entries({ operation, host, theme, language })) if (value !== undefined) form.setAttribute(name, value);

form.addEventListener('change', ({ detail }) => {
  document.querySelector('#input').textContent = JSON.stringify(detail.input, null, 2);
  document.querySelector('#ports').replaceChildren(
    ...detail.ports.map((port) => Object.assign(document.createElement('li'), { textContent: `${port.id} ${port.label ?? ''}` })),
  );
  document.querySelector('#said').textContent = detail.valid ? '' : `${detail.findings.length} findings`;
});

form.addEventListener('submit', ({ detail }) => {
  document.querySelector('#said').textContent = `Saved with ${detail.ports.length} exits`;
});
