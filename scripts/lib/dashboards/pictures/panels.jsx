// One panel of each kind, by Grafana's own components but for the timeline of states, which they are
// without: a bar for each series, in pieces as long as one state lasts.
import { getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, Table as Lines, TimeSeries } from '@grafana/ui';

function Empty({ panel }) {
  return <div className="empty">{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>;
}

function Series({ panel, frames, range, width, height }) {
  return (
    <TimeSeries
      frames={frames} width={width} height={height} timeRange={range} timeZone="utc"
      legend={panel.options.legend} options={panel.options}
    />
  );
}

function values(panel, frames, theme) {
  return getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: frames,
    sparkline: panel.options.graphMode === 'area',
    timeZone: 'utc',
  });
}

function Stat({ panel, frames, theme, width, height }) {
  const [value] = values(panel, frames, theme);
  const { colorMode, graphMode, justifyMode, textMode, text } = panel.options;
  return (
    <BigValue
      value={value.display} sparkline={value.sparkline} width={width} height={height} theme={theme} count={1}
      colorMode={colorMode} graphMode={graphMode} justifyMode={justifyMode} textMode={textMode} text={text}
    />
  );
}

function Bars({ panel, frames, theme, width, height }) {
  const all = values(panel, frames, theme);
  const { minVizHeight, maxVizHeight, displayMode, valueMode, namePlacement, showUnfilled } = panel.options;
  const gap = 10;
  const each = Math.max(minVizHeight, Math.min(maxVizHeight, (height - gap * (all.length - 1)) / all.length));
  return (
    <div className="bars" style={{ gap }}>
      {all.map((value, i) => (
        <BarGauge
          key={i} value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={width} height={each} theme={theme} orientation="horizontal" displayMode={displayMode}
          valueDisplayMode={valueMode} namePlacement={namePlacement} showUnfilled={showUnfilled}
          alignmentFactors={{
            title: all.map(({ display }) => display.title).reduce((a, b) => (a.length > b.length ? a : b)),
            text: all.map(({ display }) => display.text).reduce((a, b) => (a.length > b.length ? a : b)),
          }}
        />
      ))}
    </div>
  );
}

// The table of Grafana 10 and 11: the newer one wants a fork of its grid that npm does not have.
function Table({ panel, frames, range, width, height }) {
  const { sortBy, cellHeight, showHeader } = panel.options;
  return (
    <Lines
      data={frames[0]} width={width} height={height} initialSortBy={sortBy} cellHeight={cellHeight} noHeader={!showHeader}
      timeRange={range} showTypeIcons={false} resizable
    />
  );
}

function Timeline({ panel, frames, range, width, height }) {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const name = 140;
  const each = height / frames.length;
  return frames.map(({ fields: [time, value] }, row) => {
    const changes = value.values
      .map((state, i) => ({ state, at: Math.max(from, time.values[i]) }))
      .filter(({ state }, i, all) => i === 0 || state !== all[i - 1].state);
    return (
      <div key={row} className="states" style={{ height: each }}>
        <span style={{ width: name }}>{value.config.displayNameFromDS}</span>
        {changes.map(({ state, at }, i) => {
          const end = changes[i + 1]?.at ?? to;
          const { text, color } = value.display(state);
          const length = ((width - name) * (end - at)) / (to - from);
          return (
            <b key={at} style={{ width: length, height: each * panel.options.rowHeight, background: color }}>{text}</b>
          );
        })}
      </div>
    );
  });
}

const KINDS = { timeseries: Series, stat: Stat, bargauge: Bars, table: Table, 'state-timeline': Timeline };
// As Grafana has them: charts and tables lie against the frame of the panel.
export const PADDING = { timeseries: 'md', stat: 'md', bargauge: 'md', table: 'none', 'state-timeline': 'md' };

export function Content(props) {
  const Kind = KINDS[props.panel.type];
  return props.frames.length === 0 ? <Empty {...props} /> : <Kind {...props} />;
}
