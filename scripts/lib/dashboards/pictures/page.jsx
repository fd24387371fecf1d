// A dashboard from its JSON and the answers to its queries: window.draw(dashboard, answers, range).
import { createTheme, dateTime } from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import '@fontsource-variable/inter/index.css';
import 'uplot/dist/uPlot.min.css';

import { applied, transformed } from './fields.js';
import { frames } from './frames.js';
import './page.css';
import { Content, PADDING } from './panels.jsx';

const FONT = 'Inter Variable';
const theme = createTheme({ colors: { mode: 'dark' }, typography: { fontFamily: `'${FONT}', sans-serif` } });
const CELL = 30;
const GAP = 8;
const COLUMNS = 24;

function place({ x, y, w, h }, width) {
  const column = (width - GAP * (COLUMNS - 1)) / COLUMNS;
  return {
    left: x * (column + GAP), top: y * (CELL + GAP),
    width: w * column + (w - 1) * GAP, height: h * CELL + (h - 1) * GAP,
  };
}

function Panel({ panel, frames, range, at }) {
  return (
    <div style={{ position: 'absolute', ...at }}>
      <PanelChrome title={panel.title} description={panel.description} padding={PADDING[panel.type]} {...at}>
        {(width, height) => (
          <Content panel={panel} frames={frames} range={range} theme={theme} width={width} height={height} />
        )}
      </PanelChrome>
    </div>
  );
}

function Head({ dashboard, values }) {
  return (
    <header>
      <h1>{dashboard.title}</h1>
      {dashboard.templating.list.map(({ name, label }) => (
        <span key={name} className="variable"><b>{label}</b><i>{values[name]}</i></span>
      ))}
    </header>
  );
}

async function draw(dashboard, answers, [from, to], values) {
  await initPluginTranslations('grafana-ui').catch(() => {});
  // Charts measure their text before anything asks for the font.
  await Promise.all([400, 500].map((weight) => document.fonts.load(`${weight} 12px '${FONT}'`)));
  const range = { from: dateTime(from * 1000), to: dateTime(to * 1000), raw: { from: 'now-5m', to: 'now' } };
  const width = document.documentElement.clientWidth - 32;
  const panels = await Promise.all(
    dashboard.panels.map(async (panel) => {
      const at = place(panel.gridPos, width);
      if (panel.type === 'row') {
        return <h2 key={panel.id} style={{ ...at }}>⌄ {panel.title}</h2>;
      }
      const data = await transformed(panel, frames(panel, answers[panel.id]));
      return <Panel key={panel.id} panel={panel} frames={applied(panel, data, theme)} range={range} at={at} />;
    })
  );
  const bottom = Math.max(...dashboard.panels.map(({ gridPos: { y, h } }) => y + h)) * (CELL + GAP);
  createRoot(document.getElementById('page')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div id="dashboard">
        <Head dashboard={dashboard} values={values} />
        <main style={{ height: bottom, width }}>{panels}</main>
      </div>
    </ThemeContext.Provider>
  );
}

window.draw = draw;
