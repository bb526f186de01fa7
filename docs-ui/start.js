// start.js: starts Swagger UI on the docs page. A file of its own, because the page's
// Content-Security-Policy allows no inline scripts.
SwaggerUIBundle({
  // Relative to the page, so that it is found behind a proxy's prefix too.
  url: "./openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  displayRequestDuration: true,
  // The default asks a host on the internet whether the document is valid.
  validatorUrl: null,
});

// Swagger UI has a dark style, and leaves it to the page to choose it.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
