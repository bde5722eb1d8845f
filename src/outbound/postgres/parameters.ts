/** A parameter of a statement that the planner looks at, if it makes a plan for its value. */
export function seen(placeholder: string, type: string): string {
  return `${placeholder}::${type}`;
}

/**
 * A parameter whose value the planner does not look at: for values on which the best plan does not depend.
 *
 * PostgreSQL plans a statement anew at each call as long as plans that are made for the values look cheaper than one
 * for any values, and a page always looks so: of an unknown LIMIT the planner expects a tenth of all rows. To plan a
 * page takes longer than to read it. If no plan can depend on the values, the one that there is is kept.
 */
export function unseen(placeholder: string, type: string): string {
  return `(SELECT ${placeholder}::${type})`;
}
