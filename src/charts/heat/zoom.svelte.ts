// Zoom of a heat map whose cells are small: wheel, drag, pinch, keys and buttons move one view, which d3 keeps in bounds.
import { select, zoom as d3zoom, zoomIdentity, type D3ZoomEvent, type ZoomBehavior } from 'd3'
import { untrack } from 'svelte'
import { showing, WHOLE, type Cell, type HeatScene, type View } from '../heatmap.ts'

/** Cells of this many pixels are large enough: there the zoom ends, and where they are, there is none. */
const ZOOM_TO = 32
const STEP = 1.6

/** Made while a component is: `svg` and `whole`, the scene of the whole map, are followed as they change. */
export class HeatZoom {
  view = $state.raw<View>(WHOLE)
  readonly #svg: () => SVGSVGElement | undefined
  readonly #whole: () => HeatScene
  #behaviour: ZoomBehavior<SVGSVGElement, unknown> | undefined
  readonly most = $derived.by(() => Math.max(1, ZOOM_TO / this.#whole().cell))
  readonly possible = $derived(this.most > 1.5)
  /** Another head of the same text keeps the view; another window, or other tokens, begin with the whole map. */
  readonly #frame = $derived.by(() => Object.values(this.#whole().plot).join(' ') + this.most)

  constructor(svg: () => SVGSVGElement | undefined, whole: () => HeatScene) {
    this.#svg = svg
    this.#whole = whole
    $effect(() => this.#listen())
    $effect(() => {
      void this.#frame
      untrack(() => this.#begin())
    })
  }

  in = (): void => this.#by(STEP)
  out = (): void => this.#by(1 / STEP)

  reset = (): void => {
    this.#with((of, behaviour) => behaviour.transform(of, zoomIdentity))
    this.view = WHOLE
  }

  /** Moves the map until a cell of the scene that is seen stands in the window. */
  show(scene: HeatScene, cell: Cell): void {
    if (this.view === WHOLE) return
    const { k, x, y } = showing(scene, this.view, cell)
    if (x !== this.view.x || y !== this.view.y)
      this.#with((of, behaviour) => behaviour.transform(of, zoomIdentity.translate(x, y).scale(k)))
  }

  #by(factor: number): void {
    this.#with((of, behaviour) => behaviour.scaleBy(of, factor))
  }

  #with(
    act: (
      of: ReturnType<typeof select<SVGSVGElement, unknown>>,
      behaviour: ZoomBehavior<SVGSVGElement, unknown>,
    ) => void,
  ): void {
    const svg = this.#svg()
    if (svg && this.#behaviour) act(select(svg), this.#behaviour)
  }

  #listen(): (() => void) | undefined {
    const svg = this.#svg()
    if (!svg || !this.possible) return undefined
    this.#behaviour = d3zoom<SVGSVGElement, unknown>()
      // One finger scrolls the page until there is something to move.
      .filter((event: Event & { ctrlKey?: boolean; button?: number; touches?: TouchList }) =>
        event.type === 'dblclick' || event.button
          ? false
          : event.touches
            ? event.touches.length > 1 || this.view.k > 1
            : true,
      )
      .on('zoom', ({ transform: { k, x, y } }: D3ZoomEvent<SVGSVGElement, unknown>) => {
        this.view = k === 1 ? WHOLE : { k, x, y }
      })
    const of = select<SVGSVGElement, unknown>(svg)
    of.call(this.#behaviour)
    return () => {
      of.on('.zoom', null)
      this.#behaviour = undefined
    }
  }

  #begin(): void {
    const { plot } = this.#whole()
    const box: [[number, number], [number, number]] = [
      [plot.x, plot.y],
      [plot.x + plot.width, plot.y + plot.height],
    ]
    if (this.possible) this.#behaviour?.extent(box).translateExtent(box).scaleExtent([1, this.most])
    this.reset()
  }
}
