// Grafana's own types of a dashboard, put together so that each panel carries the options of its own kind.
// In Grafana's `Panel` the options of every kind are a `Record<string, unknown>`, in which any misspelling passes.
import type * as grafana from '@grafana/schema';
import type * as raw from 'raw/dashboard/x/types.gen';
import type * as bargauge from 'raw/composable/bargauge/panelcfg/x/types.gen';
import type * as gauge from 'raw/composable/gauge/panelcfg/x/types.gen';
import type * as heatmap from 'raw/composable/heatmap/panelcfg/x/types.gen';
import type * as piechart from 'raw/composable/piechart/panelcfg/x/types.gen';
import type * as stat from 'raw/composable/stat/panelcfg/x/types.gen';
import type * as statetimeline from 'raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as statushistory from 'raw/composable/statushistory/panelcfg/x/types.gen';
import type * as table from 'raw/composable/table/panelcfg/x/types.gen';
import type * as text from 'raw/composable/text/panelcfg/x/types.gen';
import type * as timeseries from 'raw/composable/timeseries/panelcfg/x/types.gen';

// A query of the Prometheus data source, whose types are in no package as small as this one.
interface PrometheusQuery extends grafana.DataQuery {
  editorMode?: 'builder' | 'code';
  exemplar?: boolean;
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  interval?: string;
  intervalFactor?: number;
  legendFormat?: string;
  range?: boolean;
}

interface FieldConfig<Custom> extends Omit<raw.FieldConfig, 'custom'> {
  custom?: Partial<Custom>; // Grafana adds the panel's own defaults
}

interface Kind<Options, Custom> extends Omit<raw.Panel, 'fieldConfig' | 'options' | 'targets' | 'type'> {
  fieldConfig?: Omit<raw.FieldConfigSource, 'defaults'> & { defaults: FieldConfig<Custom> };
  options?: Options;
  targets?: PrometheusQuery[];
}

type None = Record<string, never>;

interface BarGauge extends Kind<bargauge.Options, None> { type: 'bargauge' }
interface Gauge extends Kind<gauge.Options, None> { type: 'gauge' }
interface Heatmap extends Kind<heatmap.Options, heatmap.FieldConfig> { type: 'heatmap' }
interface PieChart extends Kind<piechart.Options, piechart.FieldConfig> { type: 'piechart' }
interface Stat extends Kind<stat.Options, None> { type: 'stat' }
interface StateTimeline extends Kind<statetimeline.Options, statetimeline.FieldConfig> { type: 'state-timeline' }
interface StatusHistory extends Kind<statushistory.Options, statushistory.FieldConfig> { type: 'status-history' }
interface Table extends Kind<table.Options, table.FieldConfig> { type: 'table' }
interface Text extends Kind<text.Options, None> { type: 'text' }
interface TimeSeries extends Kind<timeseries.Options, timeseries.FieldConfig> { type: 'timeseries' }

/** @discriminator type */
type Leaf = BarGauge | Gauge | Heatmap | PieChart | Stat | StateTimeline | StatusHistory | Table | Text | TimeSeries;

interface Row extends Omit<raw.RowPanel, 'panels'> {
  panels: Leaf[];
}

/** @discriminator type */
type Panel = Leaf | Row;

// What Grafana's types leave out of a variable, and of an annotation that Prometheus gives.
interface Variable extends grafana.VariableModel {
  auto?: boolean;
  auto_count?: number;
  auto_min?: string;
  definition?: string;
}

interface Annotation extends grafana.AnnotationQuery {
  expr?: string;
  step?: string;
  tagKeys?: string;
  textFormat?: string;
  titleFormat?: string;
  useValueForTime?: boolean;
}

export interface Dashboard extends Omit<grafana.Dashboard, 'annotations' | 'panels' | 'templating'> {
  annotations?: { list?: Annotation[] };
  panels: Panel[];
  templating?: { list?: Variable[] };
}
