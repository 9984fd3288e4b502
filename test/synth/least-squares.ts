/** The share of the variance of y that a linear function of the features explains, by the normal equations. */
export function leastSquaresFit(features: readonly (readonly number[])[], y: readonly number[]): number {
  const width = (features[0]?.length ?? 0) + 1;
  const matrix = Array.from({ length: width }, () => new Float64Array(width + 1));
  for (const [row, values] of features.entries()) {
    const x = [1, ...values];
    for (let i = 0; i < width; i++) {
      for (let j = 0; j < width; j++) add(matrix, i, j, (x[i] ?? 0) * (x[j] ?? 0));
      add(matrix, i, width, (x[i] ?? 0) * (y[row] ?? 0));
    }
  }
  const weights = solve(matrix);
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const residual = y.reduce((sum, value, row) => {
    const predicted = [1, ...(features[row] ?? [])].reduce((total, x, i) => total + x * (weights[i] ?? 0), 0);
    return sum + (value - predicted) ** 2;
  }, 0);
  return 1 - residual / y.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

function add(matrix: readonly Float64Array[], i: number, j: number, value: number): void {
  const row = matrix[i];
  if (row !== undefined) row[j] = (row[j] ?? 0) + value;
}

/** Gauss's elimination with pivots. */
function solve(matrix: Float64Array[]): readonly number[] {
  const at = (i: number, j: number): number => matrix[i]?.[j] ?? 0;
  const size = matrix.length;
  for (let column = 0; column < size; column++) {
    const rest = matrix.slice(column).map((row) => Math.abs(row[column] ?? 0));
    const pivot = column + rest.indexOf(Math.max(...rest));
    [matrix[column], matrix[pivot]] = [matrix[pivot] as Float64Array, matrix[column] as Float64Array];
    if (Math.abs(at(column, column)) < 1e-9) throw new Error("the features depend on one another");
    for (let i = 0; i < size; i++) {
      if (i === column) continue;
      const factor = at(i, column) / at(column, column);
      for (let j = column; j <= size; j++) add(matrix, i, j, -factor * at(column, j));
    }
  }
  return matrix.map((row, i) => (row[size] ?? 0) / (row[i] ?? 1));
}
