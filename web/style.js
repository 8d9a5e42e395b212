// How the editor and the panels look. A module and not a style sheet, so that the page waits for no request.

export const STYLE = `
/* Colours come from the theme of the page. */
.erasepro-editor,
.erasepro-panel {
  --line: var(--border-color, #4e4e4e);
  --wrong: var(--error-text, #ff4444);
  --wrong-text: color-mix(in srgb, var(--wrong) 60%, var(--input-text)); /* readable on a node of any colour */
  --accent: var(--p-primary-color, #4a9eda);
  box-sizing: border-box;
  overflow: auto;
  padding: 2px 4px;
  font-size: 11px;
  line-height: 1.45;
  color: var(--input-text);
}

.erasepro-editor [hidden] {
  display: none !important;
}

.erasepro-editor table {
  width: 100%;
  border-collapse: collapse;
}

.erasepro-editor th {
  padding: 0 6px 2px;
  white-space: nowrap;
  font-weight: normal;
  text-align: left;
  color: var(--descrip-text, inherit);
}

.erasepro-editor td {
  padding: 1px;
}

.erasepro-editor input,
.erasepro-editor textarea,
.erasepro-editor select,
.erasepro-editor button,
.erasepro-panel pre {
  box-sizing: border-box;
  font: inherit;
  color: var(--input-text);
  background: var(--comfy-input-bg);
  border: 1px solid var(--line);
  border-radius: 4px;
}

.erasepro-editor input,
.erasepro-editor textarea {
  width: 100%;
  min-width: 60px;
  padding: 3px 5px;
}

.erasepro-editor textarea {
  display: block;
  resize: none;
}

.erasepro-editor ::placeholder {
  color: var(--descrip-text, inherit);
  opacity: 0.7;
}

.erasepro-editor button {
  padding: 2px 6px;
  cursor: pointer;
}

.erasepro-editor :is(input, textarea, select, button, summary):focus-visible,
.erasepro-panel:focus-visible {
  outline: 2px solid var(--accent);
  outline-offset: -1px;
}

.erasepro-editor .erasepro-tokens {
  width: 1%;
  padding: 0 6px;
  white-space: nowrap;
  color: var(--descrip-text, inherit);
}

.erasepro-editor .erasepro-buttons {
  width: 1%;
  white-space: nowrap;
}

.erasepro-editor .erasepro-buttons button {
  padding: 2px 4px;
  border-color: transparent;
  background: none;
}

.erasepro-editor .erasepro-wrong input {
  border-color: var(--wrong);
}

.erasepro-editor .erasepro-error td,
.erasepro-editor p.erasepro-wrong {
  color: var(--wrong-text);
  white-space: pre-wrap;
}

.erasepro-editor .erasepro-tools {
  display: flex;
  gap: 6px;
  margin: 6px 1px;
}

.erasepro-editor .erasepro-chips {
  display: flex;
  flex-wrap: wrap;
  gap: 3px;
  align-items: center;
}

.erasepro-editor .erasepro-chip {
  border-radius: 9px;
}

.erasepro-editor select {
  flex: 1;
  min-width: 0;
}

.erasepro-editor p {
  margin: 2px 1px;
}

.erasepro-editor p:empty {
  display: none;
}

.erasepro-editor :is(label, details) {
  display: block;
  margin: 6px 1px 0;
}

.erasepro-editor :is(label, summary) {
  color: var(--descrip-text, inherit);
}

.erasepro-editor summary {
  cursor: pointer;
}

.erasepro-editor :is(label, details) textarea {
  margin-top: 3px;
}

.erasepro-editor.erasepro-linked :is(table, .erasepro-tools) {
  display: none;
}

.erasepro-panel {
  padding: 8px 10px;
  border-radius: 6px;
  background: var(--comfy-input-bg);
}

.erasepro-panel > div {
  display: grid;
  gap: 8px;
}

.erasepro-panel :is(p, ul, dl, pre) {
  margin: 0;
  padding: 0;
}

.erasepro-panel progress {
  display: block;
  width: 100%;
  accent-color: var(--accent);
}

.erasepro-panel pre {
  padding: 6px 0 0;
  border: 0;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}

.erasepro-panel ul {
  display: grid;
  gap: 6px;
  list-style: none;
}

.erasepro-panel :is(li, dt, summary) {
  color: var(--descrip-text, inherit);
}

.erasepro-panel summary {
  cursor: pointer;
}

.erasepro-panel strong {
  overflow-wrap: anywhere;
  color: var(--input-text);
}

.erasepro-panel strong.erasepro-well {
  color: var(--accent);
}

.erasepro-head {
  display: flex;
  justify-content: space-between;
  gap: 8px;
}

.erasepro-head span {
  flex: none;
  font-variant-numeric: tabular-nums;
}

.erasepro-bar {
  position: relative;
  height: 6px;
  margin: 3px 0;
  border-radius: 3px;
  background: var(--line);
}

.erasepro-bar span {
  display: block;
  height: 100%;
  min-width: 2px;
  border-radius: 3px;
  background: var(--accent);
}

.erasepro-bar .erasepro-much {
  background: var(--wrong);
}

.erasepro-bar i {
  position: absolute;
  top: -2px;
  width: 2px;
  height: 10px;
  background: var(--input-text);
}

.erasepro-panel dl {
  display: grid;
  grid-template-columns: max-content 1fr;
  gap: 1px 10px;
}

.erasepro-panel dd {
  margin: 0;
  overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums;
}

.erasepro-panel .erasepro-wrong {
  color: var(--wrong-text);
}

.erasepro-panel p.erasepro-wrong {
  white-space: pre-wrap;
}

.erasepro-remark {
  padding-left: 8px !important;
  border-left: 3px solid var(--warning-color, #d9a400);
}

.erasepro-charts {
  display: flex;
  flex-wrap: wrap;
  gap: 6px;
}

.erasepro-chart {
  flex: 1 1 130px;
  min-width: 0;
  max-width: 300px;
}

.erasepro-chart text {
  font-size: 11px;
  fill: currentColor;
}

.erasepro-chart circle {
  fill: var(--accent);
  fill-opacity: 0.8;
}

.erasepro-chart .erasepro-axis {
  fill: none;
  stroke: var(--line);
}
`;
