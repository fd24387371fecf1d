// A panel's field settings, applied to its frames by Grafana's own code.
import {
  FieldConfigOptionsRegistry, applyFieldOverrides, standardTransformers, standardTransformersRegistry,
  transformDataFrame,
} from '@grafana/data';
import { firstValueFrom } from 'rxjs';

const STANDARD = [
  'unit', 'min', 'max', 'decimals', 'displayName', 'noValue', 'color', 'thresholds', 'mappings', 'links', 'filterable',
];

standardTransformersRegistry.setInit(() =>
  ['mergeTransformer', 'organizeFieldsTransformer', 'orderFieldsTransformer', 'filterFieldsTransformer',
    'filterFieldsByNameTransformer', 'renameFieldsTransformer'].map((name) => {
    const transformation = standardTransformers[name];
    return { id: transformation.id, name: transformation.name, transformation, editor: () => null };
  })
);

// What may be set: the standard options, and those of the fields of the panel's kind, which are
// taken from the panel itself.
function registry({ defaults, overrides }) {
  const own = new Set(Object.keys(defaults.custom ?? {}));
  for (const { properties } of overrides) {
    for (const { id } of properties) {
      if (id.startsWith('custom.')) {
        own.add(id.slice('custom.'.length));
      }
    }
  }
  const item = (id, path, isCustom) => ({
    id, path, isCustom, name: id, category: [], process: (value) => value, shouldApply: () => true, settings: {},
  });
  const options = new FieldConfigOptionsRegistry();
  STANDARD.forEach((id) => options.register(item(id, id, false)));
  own.forEach((path) => options.register(item(`custom.${path}`, path, true)));
  return options;
}

export function applied(panel, data, theme) {
  const frames = applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry(panel.fieldConfig),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  return frames;
}

export async function transformed(panel, data) {
  const context = { interpolate: (text) => text };
  return panel.transformations ? firstValueFrom(transformDataFrame(panel.transformations, data, context)) : data;
}
