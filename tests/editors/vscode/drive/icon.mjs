// The extension's icon as the PNG that a marketplace wants, drawn from its SVG.
import fs from 'node:fs';
import { openEditor } from './editor.mjs';

const [svg, png] = process.argv.slice(2);
const { editor, page } = await openEditor({ size: { width: 128, height: 128 } });
await page.setContent(`<style>body { margin: 0 }</style>${fs.readFileSync(svg, 'utf8')}`);
await page.screenshot({ path: png, omitBackground: true });
await editor.close();
