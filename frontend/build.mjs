// Builds what the browser gets. `node build.mjs OUT`, run by hatch_build.py; needs `npm ci` before.
//
// OUT gets app.HASH.css (Tabler without what no template uses, then our own), app.HASH.js (htmx and our custom elements),
// landing.HASH.css/.js (the pages a phone opens at night), icons.HASH.svg (only the icons named in templates),
// manifest.json (plain name -> hashed name, read by the `asset` tag) and NOTICE.txt. Names carry a content hash, so a
// browser may keep a file for ever. Each text file also gets a .gz and a .br beside it, which WhiteNoise serves.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import esbuild from "esbuild";
import { PurgeCSS } from "purgecss";

const HERE = dirname(fileURLToPath(import.meta.url));
const SOURCE = join(HERE, "..", "src", "midwatch");
const MODULES = join(HERE, "node_modules");
const OUT = process.argv[2];
if (!OUT) throw new Error("usage: node build.mjs OUT_DIRECTORY");

// What may name a CSS class or an icon. hatch_build.py hashes the same files to know whether a build is stale.
const IS_LOOKED_AT = /(\/templates\/.*\.(html|txt)|\/templatetags\/[^/]*\.py|\/forms(\/[^/]*)?\.py|\/lifecycle\.py)$/;
// Set from code at run time or by Django, so that no template shows them.
const KEPT_CLASSES = [/^htmx-/, /^errorlist$/, /^is-/];

function filesBelow(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

const lookedAt = filesBelow(SOURCE).filter((path) => IS_LOOKED_AT.test(path)).map((path) => [path, readFileSync(path, "utf8")]);
const ownScripts = filesBelow(join(HERE, "js")).map((path) => [path, readFileSync(path, "utf8")]);

async function styles() {
  const purged = await new PurgeCSS().purge({
    content: [...lookedAt, ...ownScripts].map(([path, raw]) => ({ raw, extension: path.split(".").pop() })),
    css: [{ raw: readFileSync(join(MODULES, "@tabler/core/dist/css/tabler.css"), "utf8") }],
    // Classes such as `d-md-flex` and `w-1/2` hold characters that the default extractor splits at.
    defaultExtractor: (text) => text.match(/[\w-/:.%]+(?<![:.])/g) ?? [],
    safelist: { standard: KEPT_CLASSES },
    variables: true,
    keyframes: true,
  });
  const own = filesBelow(join(HERE, "css")).filter((path) => !path.endsWith("landing.css")).map((path) => readFileSync(path, "utf8"));
  return minifiedCss([purged[0].css, ...own].join("\n"));
}

function minifiedCss(text) {
  return esbuild.transformSync(text, { loader: "css", minify: true, target: ["chrome123", "firefox128", "safari17.5"], legalComments: "none" }).code;
}

function script(entry) {
  const built = esbuild.buildSync({
    entryPoints: [join(HERE, "js", entry)],
    bundle: true, minify: true, write: false, format: "esm", target: ["es2022"], legalComments: "none", nodePaths: [MODULES],
  });
  return built.outputFiles[0].text;
}

// Every quoted word in a template (or in our tags and navigation) that is the name of an icon gets into the sprite.
function sprite() {
  const words = new Set(lookedAt.flatMap(([, text]) => [...text.matchAll(/["']([a-z0-9]+(?:-[a-z0-9]+)*)["']/g)].map((match) => match[1])));
  const symbols = [...words].sort().flatMap((name) => {
    const path = join(MODULES, "@tabler/icons/icons/outline", `${name}.svg`);
    if (!existsSync(path)) return [];
    const drawing = readFileSync(path, "utf8").replace(/^[\s\S]*?<svg[^>]*>/, "").replace("</svg>", "");
    const visible = drawing.replace(/<path stroke="none"[^>]*\/>/g, "").replace(/\s*\n\s*/g, "");
    return [`<symbol id="${name}" viewBox="0 0 24 24">${visible}</symbol>`];
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
}

// MIT and 0BSD ask that their text travels with the code.
function notice() {
  const parts = ["@tabler/core", "@tabler/icons", "htmx.org"].map((name) => {
    const folder = join(MODULES, name);
    const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8") : readFileSync(join(HERE, "licenses", `${name.replace("/", "-")}.txt`), "utf8");
    return `${name} ${about.version} (${about.license})\n\n${text.trim()}\n`;
  });
  return `Parts of this directory were made from these packages.\n\n${parts.join(`\n${"-".repeat(72)}\n\n`)}`;
}

mkdirSync(OUT, { recursive: true });
const files = {};
function put(name, text) {
  const [stem, extension] = name.split(".");
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 10);
  const file = `${stem}.${hash}.${extension}`;
  const path = join(OUT, file);
  const bytes = Buffer.from(text);
  const compact = gzipSync(bytes, { level: 9 });
  writeFileSync(path, bytes);
  writeFileSync(`${path}.gz`, compact);
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }));
  files[name] = { file, bytes: bytes.length, gzip: compact.length };
}

put("app.css", await styles());
put("app.js", script("main.js"));
put("landing.css", minifiedCss(readFileSync(join(HERE, "css", "landing.css"), "utf8")));
put("landing.js", script("landing.js"));
put("icons.svg", sprite());
writeFileSync(join(OUT, "NOTICE.txt"), notice());
// After its files, so that a build cut short is never taken for a whole one. What it no longer names is left to
// hatch_build.py: a server that runs from this checkout still hands it out.
writeFileSync(join(OUT, "manifest.json"), JSON.stringify({ inputs: process.env.MIDWATCH_ASSETS_INPUTS ?? "", files }, null, 1) + "\n");
console.log(Object.entries(files).map(([name, { bytes, gzip }]) => `${name} ${bytes} bytes, ${gzip} gzipped`).join("\n"));
