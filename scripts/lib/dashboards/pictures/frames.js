// Prometheus' answers as Grafana's data source turns them into frames.

// One series of a range query.
function series(answer, legend) {
  return answer.map(({ metric, values }) => ({
    fields: [
      { name: 'Time', type: 'time', config: {}, values: values.map(([time]) => time * 1000) },
      {
        name: 'Value',
        type: 'number',
        labels: metric,
        config: { displayNameFromDS: named(legend, metric) },
        values: values.map(([, value]) => number(value)),
      },
    ],
  }));
}

// An instant query as a table: a line for each series, a column for each label.
function table(answer, value) {
  const labels = [...new Set(answer.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return {
    fields: [
      { name: 'Time', type: 'time', config: {}, values: answer.map(({ value: [time] }) => time * 1000) },
      ...labels.map((label) => ({
        name: label,
        type: 'string',
        config: { filterable: true },
        values: answer.map(({ metric }) => metric[label] ?? ''),
      })),
      { name: value, type: 'number', config: {}, values: answer.map(({ value: [, v] }) => number(v)) },
    ],
  };
}

function named(legend, labels) {
  return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
}

function number(text) {
  return text === 'NaN' ? NaN : text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

// All frames of a panel; `answers` holds what came back for each of its queries, by letter.
export function frames(panel, answers) {
  const asked = panel.targets.filter(({ refId }) => answers[refId].length > 0);
  return asked.flatMap((target) => {
    const answer = answers[target.refId];
    let made;
    if (target.format === 'table') {
      made = [table(answer, asked.length > 1 ? `Value #${target.refId}` : 'Value')];
    } else if (target.instant) {
      made = series(answer.map(({ metric, value }) => ({ metric, values: [value] })), target.legendFormat);
    } else {
      made = series(answer, target.legendFormat);
    }
    return made.map((frame) => ({ refId: target.refId, length: frame.fields[0].values.length, ...frame }));
  });
}
