// The seeded random numbers of src/data/rng.ts, under the name the engine knows them by: splits are made with the same
// generator, and data may not import the core.
export * from '../data/rng.ts'
